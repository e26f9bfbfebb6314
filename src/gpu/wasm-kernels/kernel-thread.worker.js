/**
 * A thread that helps the studio's wasm kernels: it makes an instance of its own on the shared memory and takes units of
 * work from then on (assembly/index.ts, `serve`). Plain JavaScript, since it is served as it is.
 */
self.onmessage = ({ data: { module, memory, job, scratch } }) => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  exports.serve(job, scratch);
};
