import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import type { ClapApi } from '../protocol-clap';

/** Scores by the CLAP models that are installed. */
export class ClapScorer implements ClapApi {
  models: ClapApi['models'] = async () => [];
  importFiles: ClapApi['importFiles'] = async () => {
    throw new InvalidInputError('This version of the studio cannot import a CLAP yet.');
  };
  remove: ClapApi['remove'] = (id) => Promise.reject(noSuchClap(id));
  score: ClapApi['score'] = ({ modelIds }) => Promise.reject(noSuchClap(modelIds?.[0]));
  embedText: ClapApi['embedText'] = ({ modelId }) => Promise.reject(noSuchClap(modelId));
  embedAudio: ClapApi['embedAudio'] = ({ modelId }) => Promise.reject(noSuchClap(modelId));
}

function noSuchClap(id = 'any'): ModelNotFoundError {
  return new ModelNotFoundError(`No CLAP is installed in this studio, so "${id}" cannot be asked.`);
}
