/** ONNX Runtime Web on the exported graph. */
import { fetchFile, fetchInputs, INPUTS } from './exported';
import { servePeer } from './serve-peer';

servePeer(async ({ backend, threads, folder }) => {
  const ort =
    backend === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm');
  ort.env.wasm.numThreads = threads;
  const inputs = await fetchInputs(folder);
  const feeds = Object.fromEntries(
    INPUTS.map((name) => [name, new ort.Tensor('float32', inputs[name].data, inputs[name].shape)]),
  );
  const graph = new Uint8Array(await (await fetchFile(folder, 'unet.onnx')).arrayBuffer());
  const session = await ort.InferenceSession.create(graph, {
    executionProviders: [backend],
    graphOptimizationLevel: 'all',
  });
  return {
    device: { threads },
    async pass() {
      const { noise } = await session.run(feeds);
      return (await noise!.getData()) as Float32Array;
    },
  };
});
