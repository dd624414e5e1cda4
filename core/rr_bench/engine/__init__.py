"""Work handed out: tasks of plain data to local processes or to a Ray cluster. What they compute is found in
`$RR_HOME`, under the keys that it has anyway; no result travels by another way."""
