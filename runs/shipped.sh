#!/usr/bin/env bash
# From FER-2013, FER+'s votes and faces without labels to every model file that mien ships.
#
#     bash runs/shipped.sh fer2013.csv fer2013new.csv faces.zip     # hours on a CPU, see below
#     bash runs/shipped.sh --smoke                                  # all of it on made-up faces
#
# One stage after the other. A stage that was completed is skipped, a training that was interrupted
# goes on after its last whole epoch: after Ctrl-C, kill -9 or a power cut the same command goes on.
# Everything is written to runs/out (runs/smoke): a folder for each training and each report, and
# at the end the files: mien-small, its 8-bit form, mien-tiny, mien-large, mien-small-ferplus,
# mien-small-joint.
#
# Without a GPU: one network by labels, two more that it teaches, and a second round, taught by all
# three. With one (KERAS_BACKEND=jax, or where nvidia-smi finds one): three large networks, and the
# same small ones, taught by them. In a last round the small ones see damaged faces, and each of their
# weights becomes 75 % of the old one plus 25 % of the new one. Teachers are asked live, about every changed crop (docs/training.md).
#
# Environment: FOLDER (in place of runs/out), PYTHON and MIEN (the interpreter and the command),
# EPOCHS_* below, CREDIT (who made faces.zip, and its licence, for the cards).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# ---------------------------------------------------------------- what is given
PYTHON=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
beside=${PYTHON%/*}/mien  # the command of the same environment
MIEN=${MIEN:-$([ -x "$beside" ] && echo "$beside" || echo mien)}
CREDIT=${CREDIT:-FairFace (Karkkainen and Joo, 2021), CC BY 4.0}
SET=()  # what --smoke changes in every recipe
LOSS=()  # and in 8-bit forms: what was trained for seconds loses more by them
if [ "${1:-}" = --smoke ]; then
    OUT=${FOLDER:-runs/smoke}
    CSV=$OUT/data/fer2013.csv VOTES=$OUT/data/fer2013new.csv FACES=$OUT/data/faces.zip
    EPOCHS_LARGE=1 EPOCHS_FIRST=4 EPOCHS_SECOND=3 EPOCHS_THIRD=2
    SET=(--set batch_size=32 --set ema_momentum=0.7 --set warmup_epochs=0.5 --set tensorboard=false
         --set augmentation.erasing_probability=0 --set augmentation.height_shift=0.02)
    LOSS=(--largest-loss 30)
elif [ $# = 3 ]; then
    OUT=${FOLDER:-runs/out}
    CSV=$1 VOTES=$2 FACES=$3
else
    echo "usage: bash runs/shipped.sh FER2013_CSV FERPLUS_CSV FACES_ZIP | --smoke" >&2
    exit 2
fi
if [ -z "${KERAS_BACKEND:-}" ] && nvidia-smi --list-gpus >/dev/null 2>&1; then
    KERAS_BACKEND=jax
fi
export KERAS_BACKEND=${KERAS_BACKEND:-tensorflow} TF_CPP_MIN_LOG_LEVEL=3
mkdir -p "$OUT/done"
# What was begun is ended: files that came from a GPU machine know that they did.
if [ ! -e "$OUT/gpu" ]; then
    echo "${GPU:-$([ "$KERAS_BACKEND" = jax ] && echo yes || echo no)}" >"$OUT/gpu"
fi
GPU=$(cat "$OUT/gpu")

# ---------------------------------------------------------------- how a stage runs
# stage NAME COMMAND...: run it, unless it was completed; note its minutes.
stage() {
    local name=$1 began=$SECONDS
    shift
    if [ -e "$OUT/done/$name" ]; then
        echo "== $name: done before, $(cat "$OUT/done/$name") minutes"
        return
    fi
    echo "== $name"
    "$@"
    # Under another name first: whoever finds it finds all of it.
    awk "BEGIN { printf \"%.1f\", ($SECONDS - $began) / 60 }" >"$OUT/done/.$name"
    mv "$OUT/done/.$name" "$OUT/done/$name"
    echo "== $name: $(cat "$OUT/done/$name") minutes"
}

# train NAME RECIPE OPTION...: a training, from the beginning or from where it stopped.
train() {
    local folder=$OUT/$1 recipe=recipes/$2.py resume=()
    shift 2
    if [ -e "$folder/recipe.json" ]; then resume=(--resume); else rm -rf "$folder"; fi
    "$MIEN" train "$recipe" --data "$CSV" --ferplus "$VOTES" --out "$folder" "${resume[@]}" \
        "${SET[@]}" "$@"
}

# onnx RUN: what a training writes at its end on TensorFlow, and cannot write on JAX.
onnx() {
    local pair
    for pair in best:model best_ferplus:ferplus; do
        if [ ! -e "$OUT/$1/${pair#*:}.onnx" ]; then
            "$MIEN" export "$OUT/$1/${pair%:*}.keras" --data "$CSV" --out "$OUT/$1/${pair#*:}.onnx"
        fi
    done
}

# student NAME RECIPE OPTION...: a training that live teachers judge, a quarter of its faces unlabelled.
student() {
    local name=$1 recipe=$2
    shift 2
    train "$name" "$recipe" --unlabelled "$FACES" --set "unlabelled_credit=$CREDIT" \
        --set teaching=live --set teacher_views=0 --set teacher_mixup=0 \
        --set unlabelled_share=0.25 --set teacher_weight=0.8 "$@"
}

# int8 RUN FILE NAME OPTION...: the 8-bit form of a network, with its temperature.
int8() {
    local source=$1 file=$2 name=$3
    shift 3
    "$MIEN" export "$source" --to onnx-int8 --name "$name" --data "$CSV" --out "$OUT/$file" \
        "${LOSS[@]}" "$@"
}

# third NAME RECIPE OPTION...: the last round, from NAME_2; its teachers see the faces unharmed.
third() {
    student "$1" "$2" --pretrained "$OUT/$1_2/best.keras" --set start_share=0.75 \
        --set augmentation.damage_probability=0.5 --set learning_rate=0.03 \
        --set checkpoint.monitor=epoch --set "epochs=${EPOCHS_THIRD:-16}" "${@:3}"
}

# The mean of what the labels' head says and of what that of FER+'s votes says, as it learned them.
joint() {
    "$MIEN" ensemble "$OUT/small/model.onnx" "$OUT/small/ferplus.onnx" --common \
        --name heads --out "$OUT/heads.onnx"
    int8 "$OUT/heads.onnx" mien-small-joint.onnx mien-small-joint --ferplus "$VOTES"
}

large() {
    "$MIEN" ensemble "$OUT/slim-int8.onnx" "$OUT/mien-small-int8.onnx" "$OUT/mien-tiny.onnx" \
        --name mien-large --out "$OUT/members.onnx"
    "$MIEN" calibrate "$OUT/members.onnx" --data "$CSV" --out "$OUT/mien-large.onnx"
}

# measure FILE REPORT OPTION...: evaluate on PublicTest.
measure() {
    local file=$1 report=$OUT/reports/$2
    shift 2
    rm -rf "$report"
    "$MIEN" evaluate "$OUT/$file" --data "$CSV" --split validation --out "$report" "$@"
}

# ---------------------------------------------------------------- data
if [[ ${1:-} = --smoke ]]; then
    stage data "$PYTHON" runs/made_up_faces.py "$OUT/data"
fi

# ---------------------------------------------------------------- trainings
# Minutes in the comments: one core of an AMD EPYC with AVX-512 BF16 for the CPU's.
if [ "$GPU" = yes ]; then
    # The first learns labels and votes; two more have it as a teacher, and unlabelled faces.
    MORE=(--set "epochs=${EPOCHS_LARGE:-100}")
    if [ "${1:-}" = --smoke ]; then
        MORE+=(--set 'architecture_options={"stem": 8, "widths": [8, 16], "depths": [1, 1]}')
    fi
    stage large_1 train large_1 large_resnet "${MORE[@]}"
    for seed in 2 3; do
        stage "large_$seed" student "large_$seed" large_resnet "${MORE[@]}" --set "seed=$seed" \
            --teacher "$OUT/large_1" --set teacher_weight=0.5
    done
    TEACHERS=(--teacher "$OUT/large_1" --teacher "$OUT/large_2" --teacher "$OUT/large_3")
    stage slim student slim slim_resnet "${TEACHERS[@]}" --set "epochs=${EPOCHS_FIRST:-150}"
    START=()
else
    # The first round: about 58, 130 and 190 minutes.
    stage slim train slim slim_resnet --set "epochs=${EPOCHS_FIRST:-56}"
    stage tiny_1 student tiny_1 mien_tiny --teacher "$OUT/slim" \
        --set name=tiny-1 --set "epochs=${EPOCHS_FIRST:-60}" --set teacher_mirror=false
    stage small_1 student small_1 mien_small --teacher "$OUT/slim" --teacher "$OUT/tiny_1" \
        --set name=small-1 --set "epochs=${EPOCHS_FIRST:-60}" --set teacher_mirror=false
    TEACHERS=(--teacher "$OUT/slim" --teacher "$OUT/tiny_1" --teacher "$OUT/small_1")
    TEACHERS+=(--set teacher_mirror=false)
    START=(from)
fi
# The second round; without a GPU about 5 hours each, from the first round's weights.
stage small_2 student small_2 mien_small "${TEACHERS[@]}" --set "epochs=${EPOCHS_SECOND:-120}" \
    ${START:+--pretrained "$OUT/small_1/best.keras"}
stage tiny_2 student tiny_2 mien_tiny "${TEACHERS[@]}" --set "epochs=${EPOCHS_SECOND:-150}" \
    ${START:+--pretrained "$OUT/tiny_1/best.keras"}
# What is shipped; without a GPU about 45 and 30 minutes.
stage small third small mien_small "${TEACHERS[@]}"
stage tiny third tiny mien_tiny "${TEACHERS[@]}"

# ---------------------------------------------------------------- files
if ! "$PYTHON" -c "import tensorflow, tf2onnx" 2>/dev/null; then
    echo "trained; ONNX files need TensorFlow: copy $OUT to a machine with it, and run the same there"
    exit
fi
export KERAS_BACKEND=tensorflow
for run in slim small tiny; do
    stage "onnx-$run" onnx "$run"
done
stage mien-small cp "$OUT/small/model.onnx" "$OUT/mien-small.onnx"
stage mien-small-int8 int8 "$OUT/small" mien-small-int8.onnx mien-small-int8
stage mien-tiny int8 "$OUT/tiny" mien-tiny.onnx mien-tiny
stage slim-int8 int8 "$OUT/slim" slim-int8.onnx slim-resnet-int8
stage mien-small-ferplus int8 "$OUT/small/ferplus.onnx" mien-small-ferplus.onnx \
    mien-small-ferplus --ferplus "$VOTES"
stage mien-small-joint joint
stage mien-large large

# ---------------------------------------------------------------- measurements
for name in mien-small mien-small-int8 mien-tiny mien-large; do
    stage "report-$name" measure "$name.onnx" "$name"
done
stage report-mien-large-mirror measure mien-large.onnx mien-large-mirror --tta flip
stage report-mien-small-ferplus measure mien-small-ferplus.onnx mien-small-ferplus --ferplus "$VOTES"
stage report-mien-small-joint measure mien-small-joint.onnx mien-small-joint --ferplus "$VOTES"
"$PYTHON" runs/table.py "$OUT"
