"""What people and programs ask of fraud: read-only SQL, and the shapes of the answers, a module for each noun."""
