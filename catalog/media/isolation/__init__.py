"""Videos are decoded in a process of their own, with limits: what a hostile or damaged file does to
FFmpeg, it does to that process.

`pool` keeps such processes and starts another where one died; `process` is this process's side of
one, `child` what runs in it, held to `limits` and in a `sandbox`; they send each other `messages`,
and `frames` through `shared` memory. A user's lists and `picture`s are read likewise (`reader`,
`reader_child`).
"""
