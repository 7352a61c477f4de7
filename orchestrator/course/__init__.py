"""The course of a case: which agents are asked, when, and how their answers become a verdict."""
