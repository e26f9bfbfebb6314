import { useEffect } from 'react';
import type { SentenceModelSummary } from '../../../engine/protocol-sentence-embeddings';
import { bytesText, weightsFacts } from '../../app/model-text';
import { useEngine, useStudio } from '../../stores/studio-context';
import { HelperList } from './helper-list';
import styles from './models-panel.module.css';

/** CLAPs, PANNs and sentence embedders, as they are when the panel is opened. */
export function HelperLists() {
  const { clap, panns, sentences } = useStudio();
  const ready = useEngine(({ status }) => status.state === 'ready');
  useEffect(() => {
    if (!ready) return;
    for (const store of [clap, panns, sentences]) void store.getState().refresh();
  }, [ready, clap, panns, sentences]);
  return (
    <>
      <HelperList
        store={clap}
        title="CLAP: how well a sound fits its prompt"
        facts={weightsFacts}
        afterwards="Scores that were kept stay."
      />
      <HelperList
        store={panns}
        title="PANNs: which sound events are in a sound"
        facts={weightsFacts}
        afterwards="What it heard stays until the page is closed."
      >
        <p className={styles.facts}>
          Cnn14 of Kong et al. tells AudioSet’s 527 classes apart. The one at 32 kHz is in the list below. The
          one at 16 kHz, which Tango 2 is evaluated with, is <code>Cnn14_16k_mAP=0.438.pth</code> of Zenodo’s
          record 3987831: drop it below.
        </p>
      </HelperList>
      <HelperList
        store={sentences}
        title="Sentence embeddings: which prompts are alike"
        facts={sentenceFacts}
        afterwards="Prompts are clustered by CLAP’s text tower then."
      >
        <p className={styles.facts}>
          Prompts are clustered by gte-large where it is installed, as the paper does (it is in the list
          below), and else by CLAP’s text tower.
        </p>
      </HelperList>
    </>
  );
}

function sentenceFacts({ hiddenSize, onnxFile, bytes }: SentenceModelSummary): readonly string[] {
  return [`${hiddenSize} numbers a prompt`, `${onnxFile}, ${bytesText(bytes)}`];
}
