"""Which numbers a study asks for, one module a design."""
