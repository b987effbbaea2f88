"""`make chaos`: harm is done to the whole suite under load, again and again, and afterwards everything still holds."""
