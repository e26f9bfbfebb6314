import { type ChangeEvent, type DragEvent, useRef, useState } from 'react';
import { loadFraction, loadText } from '../../app/model-text';
import { Button } from '../../components/button';
import { Icon } from '../../components/icons';
import { ProgressBar } from '../../components/progress-bar';
import { useModels } from '../../stores/studio-context';
import { filesOfDrop, filesOfInput } from './model-files';
import styles from './models-panel.module.css';

/** A diffusers folder or Tango's published files, chosen or dropped. */
export function ImportArea() {
  const job = useModels((state) => state.job);
  const waits = useModels((state) => state.importWaits);
  const importFiles = useModels((state) => state.importFiles);
  const cancel = useModels((state) => state.cancel);
  const input = useRef<HTMLInputElement>(null);
  const filesInput = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);

  function onChosen({ currentTarget }: ChangeEvent<HTMLInputElement>): void {
    const files = filesOfInput(currentTarget.files);
    currentTarget.value = '';
    if (files.length > 0) void importFiles(files);
  }

  function onDrop(event: DragEvent): void {
    event.preventDefault();
    setOver(false);
    void importFiles(filesOfDrop(event.dataTransfer));
  }

  if (job?.kind === 'import') {
    return (
      <div className={styles.drop}>
        <ProgressBar label="Importing the model" fraction={loadFraction(job.progress)} />
        <p className={styles.facts}>{job.progress ? loadText(job.progress) : 'Checking the files…'}</p>
        <Button size="small" onClick={cancel}>
          Cancel the import
        </Button>
      </div>
    );
  }
  return (
    <fieldset
      className={`${styles.drop} ${over ? styles.over : ''}`}
      aria-label="Import a model, an adapter, or what helps: a CLAP, PANNs, a sentence embedder"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
    >
      <p>Drop a folder or files here:</p>
      <dl className={styles.kinds}>
        <dt>Model</dt>
        <dd>
          a diffusers folder (<code>model_index.json</code> with its component folders), or Tango’s published{' '}
          <code>pytorch_model_main.bin</code> and <code>pytorch_model_vae.bin</code> with their{' '}
          <code>.json</code> configs and the <code>tokenizer.json</code> of google/flan-t5-large; a UNet that
          Fine-tune merged goes with the files of its base
        </dd>
        <dt>LoRA</dt>
        <dd>
          for the model in use: PEFT’s two files, or one <code>.safetensors</code> of diffusers or kohya
        </dd>
        <dt>CLAP</dt>
        <dd>
          LAION’s <code>.pt</code> with roberta-base’s <code>tokenizer.json</code>, or a transformers folder
        </dd>
        <dt>PANNs</dt>
        <dd>
          a published <code>Cnn14….pth</code>
        </dd>
        <dt>Embedder</dt>
        <dd>a BERT in ONNX, such as gte-large’s folder</dd>
      </dl>
      <div className={styles.tools}>
        <Button
          size="small"
          icon={<Icon name="folder" />}
          disabled={job !== null}
          onClick={() => input.current?.click()}
        >
          Choose a folder…
        </Button>
        <Button size="small" disabled={job !== null} onClick={() => filesInput.current?.click()}>
          Choose files…
        </Button>
      </div>
      {waits && <p className={styles.facts}>The files are taken as soon as the model is loaded.</p>}
      <input
        ref={input}
        type="file"
        hidden
        aria-label="Model folder"
        multiple
        {...{ webkitdirectory: '' }}
        onChange={onChosen}
      />
      <input ref={filesInput} type="file" hidden aria-label="Model files" multiple onChange={onChosen} />
    </fieldset>
  );
}
