"""The script that Streamlit is started with, in a folder of its own."""
