import type { BenchmarkResult, BenchmarkStage, BenchmarkStageName } from '../../engine/protocol-benchmark';
import { GENERATE_DEFAULTS } from '../../engine/protocol-limits';
import { Button } from '../components/button';
import { CopyButton } from '../components/copy-button';
import { Notice } from '../components/notice';
import { ProgressBar } from '../components/progress-bar';
import { useBenchmark, useEngine, useGenerations, useModels } from '../stores/studio-context';
import styles from './benchmark-section.module.css';
import dialog from './engine-dialog.module.css';

const STAGE_NAMES: Readonly<Record<BenchmarkStageName, string>> = {
  'encode-text': 'Text encoding',
  denoise: 'UNet pass',
  decode: 'Decoding the mel',
  vocode: 'Vocoder',
};

/** Three digits are what a measurement is worth. */
function timeText(milliseconds: number): string {
  const [value, unit] = milliseconds < 1000 ? [milliseconds, 'ms'] : [milliseconds / 1000, 's'];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** Times the stages of the model on this machine, beside what they should take on its GPU. */
export function BenchmarkSection() {
  const running = useBenchmark((state) => state.running);
  const progress = useBenchmark((state) => state.progress);
  const result = useBenchmark((state) => state.result);
  const failure = useBenchmark((state) => state.failure);
  const start = useBenchmark((state) => state.start);
  const cancel = useBenchmark((state) => state.cancel);
  const generating = useGenerations((state) => state.runningId !== null);
  const loaded = useModels((state) => state.current !== null);
  const ready = useEngine((state) => state.status.state === 'ready');

  return (
    <section className={dialog.section} aria-labelledby="benchmark-heading">
      <h3 id="benchmark-heading" className={dialog.heading}>
        How fast this machine is
      </h3>
      <p className={dialog.reason}>
        Times each stage of the model in use, three runs after one that warms up.
      </p>
      <div className={styles.actions}>
        {running ? (
          <Button size="small" onClick={cancel}>
            Stop measuring
          </Button>
        ) : (
          <Button size="small" disabled={generating || !loaded || !ready} onClick={() => void start()}>
            {result ? 'Measure again' : 'Measure'}
          </Button>
        )}
        {result && !running && (
          <CopyButton
            label="Copy the measurement as JSON"
            size="small"
            text={() => JSON.stringify(result, null, 2)}
          />
        )}
      </div>
      {running && (
        <>
          <ProgressBar label="Measuring" fraction={progress?.fraction ?? null} />
          <p className={dialog.note}>
            {progress ? `${STAGE_NAMES[progress.stage]}…` : 'Waiting for the engine…'}
          </p>
        </>
      )}
      {failure && (
        <Notice kind="error" title="It could not be measured">
          <p>{failure.message}</p>
        </Notice>
      )}
      {result && !running && <Measured result={result} />}
    </section>
  );
}

function Measured({ result }: { readonly result: BenchmarkResult }) {
  const { stages, durationSeconds, modelName } = result;
  const gpus = stages[0]?.predictions.map(({ gpu }) => gpu) ?? [];
  const steps = GENERATE_DEFAULTS.steps;
  const clip = stages.reduce(
    (sum, { stage, medianMilliseconds }) => sum + medianMilliseconds * (stage === 'denoise' ? steps : 1),
    0,
  );
  return (
    <>
      <div className={styles.scroll}>
        <table className={styles.table}>
          <caption className={dialog.note}>
            {modelName}, {durationSeconds} s of sound
          </caption>
          <thead>
            <tr>
              <th scope="col">Stage</th>
              <th scope="col">Median</th>
              <th scope="col">GFLOP</th>
              <th scope="col">GFLOP/s</th>
              {gpus.map((gpu) => (
                <th key={gpu} scope="col">
                  Predicted, {gpu}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {stages.map((stage) => (
              <Row key={stage.stage} stage={stage} />
            ))}
          </tbody>
        </table>
      </div>
      <p className={dialog.note}>
        A clip of {steps} steps takes about {timeText(clip)}. {predictionText(result, gpus.length)}
      </p>
    </>
  );
}

function Row({ stage: row }: { readonly stage: BenchmarkStage }) {
  const { stage, medianMilliseconds, gigaflop, gigaflopPerSecond, predictions } = row;
  return (
    <tr>
      <th scope="row">{STAGE_NAMES[stage]}</th>
      <td>{timeText(medianMilliseconds)}</td>
      <td>{gigaflop.toFixed(2)}</td>
      <td>{gigaflopPerSecond.toFixed(gigaflopPerSecond < 10 ? 1 : 0)}</td>
      {predictions.map(({ gpu, milliseconds }) => (
        <td key={gpu}>{timeText(milliseconds)}</td>
      ))}
    </tr>
  );
}

function predictionText({ backend }: BenchmarkResult, known: number): string {
  if (backend === 'wasm') return 'Predictions are for GPUs; this was WebAssembly.';
  if (known === 0) return 'This adapter is not among those that times are predicted for.';
  return known === 1
    ? 'Predictions are from counts and data sheets, without transfers.'
    : 'The browser does not say which of these GPUs it is. Predictions are from counts and data sheets, without transfers.';
}
