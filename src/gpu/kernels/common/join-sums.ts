/**
 * WGSL: the sum of all threads' `sums` (vec2<f32>), in every thread. `own` is the thread's number, `partial` an array
 * of as many in workgroup memory; all threads have to arrive.
 *
 * By halves it takes a barrier a step. With subgroups it takes one: each subgroup adds up its own threads, its first
 * thread stores that at its own place (WGSL promises no order of threads in subgroups), and every subgroup adds up all
 * places.
 */
export function joinSums(threads: number, subgroups: boolean): string {
  if (subgroups) {
    return `
        let inSubgroup = subgroupAdd(sums);
        partial[own] = select(vec2<f32>(0.0), inSubgroup, subgroupElect());
        workgroupBarrier();
        let lanes = subgroupAdd(1);
        var places = vec2<f32>(0.0);
        for (var i = subgroupExclusiveAdd(1); i < ${threads}; i += lanes) { places += partial[i]; }
        sums = subgroupAdd(places);`;
  }
  const halvings: string[] = [];
  for (let half = threads / 2; half >= 1; half /= 2) {
    halvings.push(`
        if (own < ${half}) { partial[own] += partial[own + ${half}]; }
        workgroupBarrier();`);
  }
  return `partial[own] = sums;
        workgroupBarrier();${halvings.join('')}
        sums = partial[0];`;
}
