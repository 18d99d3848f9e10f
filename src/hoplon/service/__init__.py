"""What Hoplon can do: functions that wire model, policy, features and storage together, for CLI and API alike."""
