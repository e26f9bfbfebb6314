export { generateStates } from './generate-states';
export {
  type Audioldm2ProjectionConfig,
  Audioldm2ProjectionModel,
  type MaskedStates,
  parseAudioldm2ProjectionConfig,
} from './projection-model';
