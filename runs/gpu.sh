#!/usr/bin/env bash
# On a GPU machine without network: `shipped.sh` from the pieces that `pack.py` made.
#
#     bash gpu.sh PARTS_FOLDER WORK_FOLDER [MINUTES]
#
# Pieces may come one after the other: as long as one is missing, those that are there are kept in
# WORK_FOLDER. When all are there they are unpacked, and the trainings run, or go on, for at most
# MINUTES (9). Then, or when they are done, what is needed to go on elsewhere is put into
# WORK_FOLDER/result-1 and so on (at most 15 MiB each): unpack it by
#     cat result-* | tar -x
# in the repository of a machine with TensorFlow, and run the same `shipped.sh` there.
set -euo pipefail
PARTS=$1 WORK=$2 MINUTES=${3:-9}
PYTHON=${PYTHON:-python3}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$WORK/parts"
cp -n "$PARTS"/part-* "$WORK/parts/" 2>/dev/null || true
cd "$WORK"

if [ ! -e unpacked ]; then
    # A piece is shorter than the first one if it is the last: only then all are there.
    if ! cat $(ls parts/part-* | sort -V) | tar -x 2>tar.log; then
        echo "have $(ls parts | wc -l) pieces; send the rest"
        exit
    fi
    "$PYTHON" -m pip install --quiet --no-index --no-deps --target site wheels/*.whl
    "$PYTHON" runs/unpack.py data
    mkdir -p bin
    printf '#!/usr/bin/env bash\nexec %q -c "from mien.cli.app import main; main()" "$@"\n' \
        "$(command -v "$PYTHON")" >bin/mien
    chmod +x bin/mien
    touch unpacked
fi

export PYTHONPATH=$PWD/src:$PWD/site KERAS_BACKEND=jax GPU=yes
export PYTHON MIEN=$PWD/bin/mien
# XLA's programs are kept, so that the next call need not compile them anew.
export JAX_COMPILATION_CACHE_DIR=$PWD/xla
"$PYTHON" -c "import jax; print(jax.devices())"
given=(data/fer2013.csv data/fer2013new.csv data/faces.zip) folder=runs/out
if [ -n "${SMOKE:-}" ]; then given=(--smoke) folder=runs/smoke; fi
if timeout --signal=INT --kill-after=20 "$((MINUTES * 60))" bash runs/shipped.sh "${given[@]}"; then
    echo "all trainings are done"
else
    echo "not done yet: the same command goes on"
fi
rm -f result-*
kept=()
for name in gpu done slim small tiny ${SMOKE:+data}; do
    if [ -e "$folder/$name" ]; then kept+=("$folder/$name"); fi
done
tar -c --exclude=backup --exclude=tensorboard "${kept[@]}" |
    split -b 15M --numeric-suffixes=1 -a 1 - result-
ls -la result-*
