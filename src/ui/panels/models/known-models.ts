/** Repositories whose files the studio reads; sizes of their published files, rounded. */
export interface KnownModel {
  readonly repo: string;
  readonly about: string;
  readonly license: string;
  readonly downloadBytes: number;
}

const LICENSE = 'cc-by-nc-sa-4.0';

export const knownModels: readonly KnownModel[] = [
  {
    repo: 'declare-lab/tango2',
    about: 'Tango 2, aligned on audio-alpaca',
    license: LICENSE,
    downloadBytes: 5.3e9,
  },
  {
    repo: 'declare-lab/tango2-full',
    about: 'Tango 2 from the larger training set',
    license: LICENSE,
    downloadBytes: 5.3e9,
  },
  { repo: 'declare-lab/tango', about: 'Tango, AudioCaps only', license: LICENSE, downloadBytes: 5.3e9 },
  {
    repo: 'declare-lab/tango-full',
    about: 'Tango from the larger training set',
    license: LICENSE,
    downloadBytes: 5.3e9,
  },
];
