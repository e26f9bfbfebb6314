/** Repositories whose files the studio reads. What the hub says of them is asked before anything is downloaded. */
export interface KnownModel {
  readonly repo: string;
  readonly about: string;
}

export const knownModels: readonly KnownModel[] = [
  { repo: 'declare-lab/tango2', about: 'Tango 2, aligned on audio-alpaca. 5.3 GB, cc-by-nc-sa-4.0' },
  { repo: 'declare-lab/tango2-full', about: 'Tango 2 of the larger training set. 5.3 GB, cc-by-nc-sa-4.0' },
  { repo: 'declare-lab/tango', about: 'Tango, of AudioCaps only. 5.3 GB' },
  { repo: 'declare-lab/tango-full', about: 'Tango of the larger training set. 5.3 GB' },
  { repo: 'cvssp/audioldm-m-full', about: 'AudioLDM, medium: its text encoder is a CLAP' },
  { repo: 'cvssp/audioldm-s-full-v2', about: 'AudioLDM, small' },
  { repo: 'laion/clap-htsat-unfused', about: 'CLAP, to score sounds with: of sounds and of their captions' },
  { repo: 'laion/larger_clap_general', about: 'CLAP, to score sounds with: larger, of music and speech too' },
  {
    repo: 'Xenova/gte-large',
    about:
      'gte-large in ONNX, to cluster prompts with as the paper does. 337 MB; thenlper/gte-large is under mit',
  },
];
