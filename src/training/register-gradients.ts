/** tfjs-core registers no gradient by itself; generating needs none, so the rest of the engine goes without. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
