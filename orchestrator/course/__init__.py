"""The course of a case: who is asked, when, and how the answers become a verdict."""
