/** Models of a hub as the page and scripts see them: types only. */

export interface HubSource {
  /** `owner/name`. */
  readonly repo: string;
  /** A branch, tag or commit; default: `main`. */
  readonly revision?: string;
  /** A hub of one's own that answers as Hugging Face's does; default: https://huggingface.co. */
  readonly hubUrl?: string;
  /** Access token; sent to the hub's own origin only, and kept nowhere. */
  readonly token?: string;
}

export interface HubOrigin {
  readonly hubUrl: string;
  readonly repo: string;
  /** The commit that the revision was when it was asked for. */
  readonly commit: string;
}

export interface HubPlanFile {
  readonly path: string;
  readonly size: number;
  /** The repository it is of. */
  readonly repo: string;
}

/** What a download takes, before its first byte, and how far it is when it was begun. */
export interface HubPlan extends HubOrigin {
  /** Id of the download, for `remove`. */
  readonly id: string;
  /**
   * What is in it: a model that makes sounds, a CLAP that scores them, PANNs that name what is in them, or a BERT that
   * embeds their captions.
   */
  readonly kind: 'text-to-audio' | 'clap' | 'pann' | 'sentence-embeddings';
  readonly license: string | null;
  readonly files: readonly HubPlanFile[];
  readonly totalBytes: number;
  /** Bytes that are here already. */
  readonly loadedBytes: number;
  /** About what the model takes in memory to run, without its intermediate values. */
  readonly memoryBytes: number;
  /** What a person should know: files of other repositories, conversions. */
  readonly notes: readonly string[];
}

export interface StorageReport {
  /** What the browser says that the studio uses, and the most that it may; null where it does not say. */
  readonly usedBytes: number | null;
  readonly quotaBytes: number | null;
  /** Names of models that a newer studio kept: this one cannot read them and leaves them alone. */
  readonly unreadable: readonly string[];
}

export interface ModelCheck {
  /** Files that have lost a part or whose bytes are not those that were kept; empty: all is well. */
  readonly damaged: readonly string[];
}
