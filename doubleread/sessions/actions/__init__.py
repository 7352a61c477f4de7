"""The actions of a session, one file each: functions of what the session knows."""
