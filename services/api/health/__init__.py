"""How the platform is, part by part."""
