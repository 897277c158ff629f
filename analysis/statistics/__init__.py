"""The statistics: functions on plain arrays, which know nothing of a study."""
