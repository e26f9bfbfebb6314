import { useEffect } from 'react';
import { useEngine, useStudio } from '../../stores/studio-context';
import { ListenerList } from './listener-list';
import styles from './models-panel.module.css';

/** The models that hear: CLAPs and PANNs, as they are when the panel is opened. */
export function ListenerLists() {
  const { clap, panns } = useStudio();
  const ready = useEngine(({ status }) => status.state === 'ready');
  useEffect(() => {
    if (!ready) return;
    void clap.getState().refresh();
    void panns.getState().refresh();
  }, [ready, clap, panns]);
  return (
    <>
      <ListenerList
        store={clap}
        title="CLAP: how well a sound fits its prompt"
        afterwards="Scores that were kept stay."
      />
      <ListenerList
        store={panns}
        title="PANNs: which sound events are in a sound"
        afterwards="What it heard stays until the page is closed."
      >
        <p className={styles.facts}>
          Cnn14 of Kong et al. tells AudioSet’s 527 classes apart. The one at 32 kHz is in the list below. The
          one at 16 kHz, which Tango 2 is evaluated with, is <code>Cnn14_16k_mAP=0.438.pth</code> of Zenodo’s
          record 3987831: drop it below.
        </p>
      </ListenerList>
    </>
  );
}
