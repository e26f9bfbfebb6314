/**
 * The studio's kernels on the heap of tfjs's WebAssembly backend, in AssemblyScript: `node tools/wasm-kernels/build.mjs`
 * compiles them. No function here allocates, and nothing is static: all memory is the caller's.
 *
 * A job is a kernel, its arguments, and a number of units that any thread may do: `run` takes units until none is left.
 */
import { attention } from './attention';
import { attentionGradient } from './attention-gradient';
import { convolution, filterGradient } from './convolution';
import { activation, adamWUpdate, add, copyBlocks, geglu, gegluGradient } from './elementwise';
import { groupNormGradient, rowNormGradient } from './norm-gradients';
import { groupNorm, rowNorm } from './norms';
import { packPhases, packTurned, packWeights } from './packing';

// Exported so that they stay functions: inside of another loop an engine runs out of registers, and they take twice as long.
export { accumulateFour, accumulateLanes, accumulateOne, accumulateSix } from './lane-product';
export { accumulate, accumulateOuter, multiply } from './product';

// A job, in words: units left, units done, its number (what threads wait for), the kernel, arguments.
const LEFT: usize = 0;
const DONE: usize = 4;
const NUMBER: usize = 8;
const KERNEL: usize = 12;
const ARGUMENTS: usize = 16;

/** Rounds that a thread looks for a new job before it sleeps: about the time between two jobs of a pass. */
const SPINS: i32 = 100000;

/**
 * Does units of the job until none is left. Taking a unit is one atomic step on a word that counts down to zero, so that a
 * thread that comes late, to a job long done, takes nothing, and one that takes a unit finds the arguments written.
 *
 * @param scratch memory of this thread alone
 */
export function run(job: usize, scratch: usize): void {
  while (true) {
    if (atomic.load<i32>(job, LEFT) <= 0) return;
    const left = atomic.sub<i32>(job, 1, LEFT);
    if (left <= 0) return;
    runUnit(load<i32>(job, KERNEL), job + ARGUMENTS, left - 1, scratch);
    atomic.add<i32>(job, 1, DONE);
  }
}

/** `run`, and then waits until the units that other threads have taken are done. */
export function runAndFinish(job: usize, units: i32, scratch: usize): void {
  run(job, scratch);
  while (atomic.load<i32>(job, DONE) < units) {}
}

/** A thread's life: never returns. */
export function serve(job: usize, scratch: usize): void {
  let seen = atomic.load<i32>(job, NUMBER);
  while (true) {
    run(job, scratch);
    let spins = SPINS;
    while (atomic.load<i32>(job, NUMBER) == seen && spins > 0) spins -= 1;
    if (spins == 0) atomic.wait<i32>(job + NUMBER, seen, -1);
    seen = atomic.load<i32>(job, NUMBER);
  }
}

/** Says that a new job is there, and wakes the threads that sleep. */
export function announce(job: usize): void {
  atomic.add<i32>(job, 1, NUMBER);
  atomic.notify(job + NUMBER, -1);
}

function runUnit(kernel: i32, args: usize, unit: i32, scratch: usize): void {
  switch (kernel) {
    case 0: packWeights(args, unit); break;
    case 1: convolution(args, unit, scratch); break;
    case 2: groupNorm(args, unit, scratch); break;
    case 3: rowNorm(args, unit); break;
    case 4: activation(args, unit, scratch); break;
    case 5: geglu(args, unit); break;
    case 6: attention(args, unit, scratch); break;
    case 7: add(args, unit); break;
    case 8: copyBlocks(args, unit); break;
    case 9: packPhases(args, unit); break;
    case 10: packTurned(args, unit); break;
    case 11: filterGradient(args, unit, scratch); break;
    case 12: groupNormGradient(args, unit, scratch); break;
    case 13: rowNormGradient(args, unit); break;
    case 14: gegluGradient(args, unit); break;
    case 15: attentionGradient(args, unit, scratch); break;
    case 16: adamWUpdate(args, unit); break;
    default: unreachable();
  }
}
