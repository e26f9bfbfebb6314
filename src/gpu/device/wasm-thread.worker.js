/**
 * A thread of tfjs's WebAssembly backend: the pthread worker that the emscripten glue of
 * @tensorflow/tfjs-backend-wasm 4.22.0 expects (emscripten's src/worker.js, MIT licence), as a file.
 *
 * tfjs itself starts this code from a blob: URL and imports the glue from another, which would need `blob:` in
 * script-src, that is: permission to run any string as a script. As files of the studio both pass
 * `script-src 'self'`. A classic script, since the glue is one (`importScripts`); plain JavaScript, since it is
 * served as it is.
 */

/** The glue's module object; the glue of this thread fills it. */
let Module = {};
let initialized = false;
/** Queues of proxied calls that came before the thread ran. */
let pendingQueues = [];

// The thread instantiates the module that the main thread compiled.
Module.instantiateWasm = (imports, receiveInstance) => {
  const instance = new WebAssembly.Instance(Module.wasmModule, imports);
  receiveInstance(instance);
  Module.wasmModule = null;
  return instance.exports;
};

/** The glue calls this when it is ready. */
self.startWorker = (instance) => {
  Module = instance;
  postMessage({ cmd: 'loaded' });
};

self.onunhandledrejection = (event) => {
  throw event.reason ?? event;
};

function load({ wasmModule, wasmMemory, handlers, urlOrBlob }) {
  Module.wasmModule = wasmModule;
  Module.wasmMemory = wasmMemory;
  Module.buffer = wasmMemory.buffer;
  Module.ENVIRONMENT_IS_PTHREAD = true;
  for (const handler of handlers) {
    Module[handler] = (...args) => postMessage({ cmd: 'callHandler', handler, args });
  }
  importScripts(urlOrBlob);
  self.WasmBackendModuleThreadedSimd(Module);
}

function run(message) {
  Module.__emscripten_thread_init(message.pthread_ptr, 0, 0, 1);
  Module.establishStackSpace();
  Module.PThread.receiveObjectTransfer(message);
  Module.PThread.threadInitTLS();
  if (!initialized) {
    for (const queue of pendingQueues) Module.executeNotifiedProxyingQueue(queue);
    pendingQueues = [];
    initialized = true;
  }
  try {
    Module.invokeEntryPoint(message.start_routine, message.arg);
  } catch (error) {
    // 'unwind' leaves the thread alive for its event loop; ExitStatus ends it.
    if (error === 'unwind') return;
    if (!(error instanceof Module.ExitStatus)) throw error;
    if (!Module.keepRuntimeAlive()) Module.__emscripten_thread_exit(error.status);
  }
}

self.onmessage = ({ data }) => {
  try {
    if (data.cmd === 'load') load(data);
    else if (data.cmd === 'run') run(data);
    else if (data.cmd === 'cancel') {
      if (Module._pthread_self()) Module.__emscripten_thread_exit(-1);
    } else if (data.cmd === 'processProxyingQueue') {
      if (initialized) Module.executeNotifiedProxyingQueue(data.queue);
      else pendingQueues.push(data.queue);
    }
  } catch (error) {
    Module.__emscripten_thread_crashed?.();
    throw error;
  }
};
