"""What the API of fraud answers, for its OpenAPI page: a module for each noun, as in `routes`.

`queries` writes most of it; a test holds the two together.
"""
