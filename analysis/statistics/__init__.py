"""The statistics: functions on plain arrays, independent of any study."""
