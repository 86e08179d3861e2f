#!/bin/bash
#SBATCH --job-name=reel
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=1
# sbatch slurm.sh MEDIA...        from the project's folder, which all nodes see; this script runs on the first of them
set -euo pipefail
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
read -r first _ < <(hostname --ip-address)
export REEL_CPUS=$SLURM_CPUS_PER_TASK
export REEL_INDEX_DIR=${TMPDIR:-/tmp}/reel-index # on a local disk, which the file system of a cluster is not

trap './reel cluster down' EXIT
./reel cluster up --node "$first"
if ((${#nodes[@]} > 1)); then
    srun --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) --exclude="${nodes[0]}" \
        ./reel cluster up --join "$first:6379" --label accelerator=1 --block &
fi
./reel run "$@" --cluster "$first:6379"
