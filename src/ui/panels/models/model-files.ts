import type { ModelFile } from '../../../engine/protocol';

/** Files of an `<input webkitdirectory>`, with their paths inside the chosen folder. */
export function filesOfInput(files: FileList | null): readonly ModelFile[] {
  return [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }));
}

/** Files of a drop, folders walked through. Call it in the drop event: the entries are gone afterwards. */
export async function filesOfDrop(transfer: DataTransfer): Promise<readonly ModelFile[]> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  const found = await Promise.all(entries.map((entry) => filesOfEntry(entry)));
  return found.flat();
}

async function filesOfEntry(entry: FileSystemEntry): Promise<readonly ModelFile[]> {
  if (entry instanceof FileSystemFileEntry) {
    const blob = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), blob }];
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return [];
  const reader = entry.createReader();
  const files: ModelFile[] = [];
  // A reader gives at most a hundred entries a call, and none when it is through.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return files;
    for (const child of batch) files.push(...(await filesOfEntry(child)));
  }
}
