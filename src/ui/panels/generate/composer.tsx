import { GENERATE_LIMITS } from '../../../engine/protocol-limits';
import { useAction } from '../../app/use-action';
import { Segmented } from '../../components/segmented';
import { SliderField } from '../../components/slider-field';
import { useModels, useSettings, useView } from '../../stores/studio-context';
import { AdapterField } from './adapter-field';
import styles from './composer.module.css';
import { GenerateBar } from './generate-bar';
import { NegativePromptField } from './negative-prompt-field';
import { PromptField } from './prompt-field';
import { SchedulerField } from './scheduler-field';
import { SeedField } from './seed-field';
import { durationBounds, validateSettings } from './validate-settings';

/** Beyond this more steps are rarely heard; the number field takes up to 1000. */
const STEPS_SLIDER_MAX = 100;

const takeCounts = Array.from({ length: GENERATE_LIMITS.count.max }, (_, i) => ({
  value: `${i + 1}`,
  label: `${i + 1}`,
}));

/** The form: everything the next generation is made with. */
export function Composer() {
  const settings = useSettings((state) => state);
  const model = useModels((state) => state.current);
  const showErrors = useView((state) => state.showFieldErrors);
  const generate = useAction('generate');
  const duration = durationBounds(model);
  const { prompt: promptError, ...errors } = validateSettings(settings, duration);

  return (
    <form
      className={styles.composer}
      aria-label="What to generate"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (generate.enabled) generate.run();
      }}
    >
      <div className={styles.fields}>
        <PromptField error={showErrors ? promptError : undefined} />
        <div className={styles.pair}>
          <Segmented
            name="take-count"
            legend="Takes"
            value={`${settings.takeCount}`}
            options={takeCounts}
            onChange={(value) => settings.set({ takeCount: Number(value) })}
          />
          <SchedulerField />
        </div>
        <SliderField
          id="durationSeconds"
          label="Duration"
          unit="s"
          value={settings.durationSeconds}
          error={errors.durationSeconds}
          onChange={(durationSeconds) => settings.set({ durationSeconds })}
          {...duration}
          step={0.04}
        />
        <SliderField
          id="steps"
          label="Steps"
          hint="more is finer and slower"
          value={settings.steps}
          error={errors.steps}
          onChange={(steps) => settings.set({ steps })}
          min={GENERATE_LIMITS.steps.min}
          max={STEPS_SLIDER_MAX}
          step={1}
        />
        <SliderField
          id="guidanceScale"
          label="Guidance"
          hint="how strictly the prompt is followed"
          value={settings.guidanceScale}
          error={errors.guidanceScale}
          onChange={(guidanceScale) => settings.set({ guidanceScale })}
          {...GENERATE_LIMITS.guidanceScale}
          step={0.1}
        />
        <SeedField error={errors.seed} />
        <AdapterField />
        <NegativePromptField error={errors.negativePrompt} />
      </div>
      <GenerateBar />
    </form>
  );
}
