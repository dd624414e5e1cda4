#!/usr/bin/env bash
# Writes all of docs/results anew, of the commit that is checked out; three hours on two cores.
#
#   RR_SHARED_DATA=../shared/data benchmarks/results.sh
#
# In the top folder, with the environment of README's second command and chromium. The embedded bench has the machine
# for itself, as have the head's benchmark, the server and the actors; the others go two at a time, one thread each. At
# the end it names the benchmarks that missed a goal. What README and docs/results/README.md say of commit and machine
# is written by hand.
set -euo pipefail

export PATH="$PWD/.venv/bin:$PATH"
results=docs/results
missed=$(mktemp)

measured() { # one that misses a goal has written its figures all the same; one that breaks has not, and ends all
  rm -f "$results/$1.json"
  OMP_NUM_THREADS=1 python "benchmarks/$1.py" "${@:2}" --json "$results/$1.json" || echo "$1" >>"$missed"
  test -f "$results/$1.json"
}

real_data() {
  rr bench --all --registry examples/shared-data.yaml --out "$results/shared-data"
  rr bench --all --registry examples/llamarec.yaml -d ml-item-knn --out "$results/llamarec"
  rr bench --all --registry examples/proptit.yaml --folds 5 --out "$results/proptit"
}

one_thread() {
  measured cross_encoder
  measured letter_scoring --rounds 2
  python -m experiments.weighting -d rental-weighting --registry examples/shared-data.yaml --seeds 5 --out "$results/weighting"
  python -m experiments.first_stages --out "$results/first_stages"
  measured corpus
}

rr bench --all --out "$results/embedded"
rm -f "$results/bench.html" "$results/embedded/pareto.svg"
rr report "$results/embedded" --html "$results/bench.html"
rr report "$results/embedded" --svg "$results/embedded/pareto.svg"
for width in 1280 390; do
  python benchmarks/screenshot.py "$results/bench.html" --width "$width" --height 2600 --out "$results/report-$width.png"
done

OMP_NUM_THREADS=1 real_data &
OMP_NUM_THREADS=1 one_thread
wait $!
measured inference # of the rows above

measured head_training
measured serve --seconds 60 --rounds 1
measured scale

python -m tests.core.test_readme
cat "$missed"
