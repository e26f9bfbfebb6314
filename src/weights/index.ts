export { float32Values } from './float32-values';
export { openSafetensors, type SafetensorsFile } from './formats/safetensors';
export { isLegacyTorchFile, namesInCommand, openTorchCheckpoint } from './formats/torch-checkpoint';
export { writeSafetensors } from './formats/write-safetensors';
export { folderFromFiles, type ModelFolder } from './model-folder';
export { narrowStateDict } from './narrow-state-dict';
export { openComponentStateDict, openWeights } from './open-component';
export {
  BYTES_PER_ELEMENT,
  type RawTensor,
  renameStateDict,
  type StateDict,
  stateDictFromTensors,
  type TensorDtype,
  type TensorEntry,
} from './state-dict';
