import { Button } from '../components/button';
import { Icon } from '../components/icons';
import { Notice } from '../components/notice';
import { helpFor, toFailure } from '../stores/failure';
import { useEngine, useModels, usePlayer, useView } from '../stores/studio-context';

/** What is wrong with the engine or the model right now, each with the one press that mends it. */
export function EngineNotices() {
  const status = useEngine((state) => state.status);
  const restart = useEngine((state) => state.restart);
  const failure = useModels((state) => state.failure);
  const job = useModels((state) => state.job);
  const models = useModels((state) => state.models);
  const use = useModels((state) => state.use);
  const open = useModels((state) => state.open);
  const openDialog = useView((state) => state.openDialog);
  const showPanel = useView((state) => state.showPanel);
  const playback = usePlayer((state) => state.failureMessage);

  const firstModel = models?.[0];
  const again = () => void (firstModel ? use(firstModel.id) : open(null));
  return (
    <>
      {status.state === 'restarting' && (
        <Notice kind="warning" title="The engine is being started again">
          <p>{status.reason}</p>
        </Notice>
      )}
      {status.state === 'failed' && (
        <Notice
          kind="error"
          title="The engine could not be started"
          actions={
            <>
              <Button size="small" icon={<Icon name="retry" />} onClick={() => void restart()}>
                Start it again
              </Button>
              <Button size="small" variant="ghost" onClick={() => openDialog('engine')}>
                Engine
              </Button>
            </>
          }
        >
          <p>{status.message}</p>
        </Notice>
      )}
      {failure && (failure.during === 'load' || failure.during === 'list') && !job && (
        <Notice
          kind="error"
          title={helpFor(failure.code).title}
          actions={
            <>
              <Button size="small" icon={<Icon name="retry" />} onClick={again}>
                Load it again
              </Button>
              <Button size="small" variant="ghost" onClick={() => showPanel('models')}>
                Models
              </Button>
            </>
          }
        >
          <p>{failure.message}</p>
          <p>{helpFor(failure.code).whatToDo}</p>
        </Notice>
      )}
      {playback && (
        <Notice kind="error" title="The sound cannot be played">
          <p>
            {toFailure(playback).message} Check that the machine has an audio output; downloading still works.
          </p>
        </Notice>
      )}
    </>
  );
}
