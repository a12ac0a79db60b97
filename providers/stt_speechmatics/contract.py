"""What ``pytest --stt-provider speechmatics`` puts to the proof: streams made of jobs, client half against server half."""
