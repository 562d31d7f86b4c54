"""Embedded platform: every part of ClinAI as a process of this machine, supervised, in one data folder."""
