"""Code that tries to do harm, in the real sandbox on the real engine."""
