"""The script that starts the Streamlit application, in a separate folder."""
