import streamlit

from tides import tide

streamlit.title("Tides")
hour = streamlit.slider("Hour", 0, 23)
streamlit.metric("Height", f"{tide(hour):.1f} m")
