/** Repositories whose files the studio reads. What the hub says of them is asked before anything is downloaded. */
export interface KnownModel {
  readonly repo: string;
  readonly about: string;
}

/** By what they are for. */
export const knownModels: readonly { readonly purpose: string; readonly models: readonly KnownModel[] }[] = [
  {
    purpose: 'To make sounds',
    models: [
      { repo: 'declare-lab/tango2', about: 'Tango 2, aligned on audio-alpaca. 5.3 GB, cc-by-nc-sa-4.0' },
      {
        repo: 'declare-lab/tango2-full',
        about: 'Tango 2 of the larger training set. 5.3 GB, cc-by-nc-sa-4.0',
      },
      { repo: 'declare-lab/tango', about: 'Tango, of AudioCaps only. 5.3 GB' },
      { repo: 'declare-lab/tango-full', about: 'Tango of the larger training set. 5.3 GB' },
      { repo: 'cvssp/audioldm-m-full', about: 'AudioLDM, medium: its text encoder is a CLAP' },
      { repo: 'cvssp/audioldm-s-full-v2', about: 'AudioLDM, small' },
      { repo: 'cvssp/audioldm2', about: 'AudioLDM 2, of sounds, music and speech: CLAP, T5 and a GPT-2' },
      { repo: 'cvssp/audioldm2-large', about: 'AudioLDM 2 with a UNet of twice the size' },
      { repo: 'cvssp/audioldm2-music', about: 'AudioLDM 2, of music only' },
    ],
  },
  {
    purpose: 'To score them, to name what is in them, to sort prompts',
    models: [
      { repo: 'laion/clap-htsat-unfused', about: 'CLAP, of sounds and of their captions' },
      { repo: 'laion/larger_clap_general', about: 'CLAP, larger, of music and speech too' },
      { repo: 'nicofarr/panns_Cnn14', about: 'PANNs Cnn14 at 32 kHz, for sound events. 0.3 GB' },
      {
        repo: 'Xenova/gte-large',
        about:
          'gte-large in ONNX, to cluster prompts with as the paper does. 337 MB; thenlper/gte-large is under mit',
      },
    ],
  },
];
