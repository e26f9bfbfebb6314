import { HubApiError, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub';
import { InvalidInputError, NetworkError, StudioError } from '../../common/errors';
import { type HubAccess, hubRequest } from './hub-request';

export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of the content, for files in large-file storage. */
  readonly sha256: string | null;
  /** git's object id, SHA-1 of `blob <size>\0<content>`, for the others. */
  readonly gitOid: string | null;
}

export interface HubRepository {
  readonly repo: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** As its model card says. */
  readonly license: string | null;
  /** What the hub knows of its contents, `clap` for a transformers folder with that `model_type` among them. */
  readonly tags: readonly string[];
  readonly files: readonly HubFile[];
}

/**
 * A repository's files at the commit that `revision` is now: names and sizes, no content.
 * @throws InvalidInputError for a name that can be none, NetworkError
 */
export async function openHubRepository(
  access: HubAccess,
  repo: string,
  revision = 'main',
  signal?: AbortSignal,
): Promise<HubRepository> {
  if (!/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(repo)) {
    throw new InvalidInputError(
      `A repository's name is owner/name, like declare-lab/tango2, but "${repo}" came.`,
    );
  }
  const common = {
    hubUrl: access.hubUrl,
    fetch: ((url: string) => hubRequest(access, url, { signal })) as typeof fetch,
  };
  try {
    const info = await modelInfo({
      ...common,
      name: repo,
      revision,
      additionalFields: ['sha', 'cardData', 'tags'],
    });
    const commit: unknown = info.sha;
    if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit)) {
      throw new NetworkError(
        `${access.hubUrl} should say the commit of ${repo} at "${revision}" (40 digits), but ${JSON.stringify(commit)} came. Check the address of the hub.`,
      );
    }
    const files: HubFile[] = [];
    for await (const entry of listFiles({ ...common, repo, revision: commit, recursive: true })) {
      if (entry.type === 'file') files.push(checkedFile(entry, repo));
    }
    return { repo, commit, license: licenseOf(info), tags: tagsOf(info), files };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof StudioError) throw error;
    const said = error instanceof HubApiError ? ` (${error.statusCode})` : '';
    throw new NetworkError(
      `${access.hubUrl} did not answer about ${repo} as a hub does${said}: ${error instanceof Error ? error.message : String(error)}. Check the address, and that no sign-in page of the network answers in its place.`,
      { cause: error },
    );
  }
}

/** Address of a file's content at a commit; each request of it leads to a freshly signed one. */
export function resolveUrl({ hubUrl }: HubAccess, repo: string, commit: string, path: string): string {
  return `${hubUrl}/${repo}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

function checkedFile({ path, size, oid, lfs }: ListFileEntry, repo: string): HubFile {
  const bytes = lfs?.size ?? size;
  const parts = typeof path === 'string' ? path.split('/') : [''];
  if (!Number.isSafeInteger(bytes) || bytes < 0 || parts.some((part) => ['', '.', '..'].includes(part))) {
    throw new NetworkError(`The hub lists a file of ${repo} as "${path}" with ${bytes} bytes. Try again.`);
  }
  const sha256 = lfs && /^[0-9a-f]{64}$/.test(lfs.oid) ? lfs.oid : null;
  return { path, size: bytes, sha256, gitOid: lfs || !/^[0-9a-f]{40}$/.test(oid ?? '') ? null : oid! };
}

function tagsOf({ tags }: { readonly tags?: unknown }): readonly string[] {
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
}

function licenseOf(info: { readonly cardData?: unknown; readonly tags?: unknown }): string | null {
  const { cardData } = info;
  const card = typeof cardData === 'object' && cardData !== null ? cardData : {};
  const named = 'license' in card ? card.license : undefined;
  if (typeof named === 'string') return named;
  const tag = tagsOf(info).find((one) => one.startsWith('license:'));
  return tag?.slice('license:'.length) ?? null;
}
