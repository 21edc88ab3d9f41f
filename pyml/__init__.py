"""pyml"""
