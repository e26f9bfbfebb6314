import { InvalidInputError } from '../../common/errors';
import { alphasCumprod } from './noise-schedule';
import { predictedX0, type Scheduler, type StepCoefficients } from './scheduler';
import {
  type CommonSchedulerConfig,
  checkSteps,
  checkTrained,
  parseCommonConfig,
  schedulerReader,
} from './scheduler-config';
import { leadingTimesteps, linspaceTimesteps, trailingTimesteps } from './timestep-spacing';

export interface DPMSolverMultistepSchedulerConfig extends CommonSchedulerConfig {
  readonly solverOrder: 1 | 2;
  readonly solverType: 'midpoint' | 'heun';
  /** First order in the last step, when there are fewer than 15. */
  readonly lowerOrderFinal: boolean;
  readonly eulerAtFinal: boolean;
  readonly finalSigmasType: 'zero' | 'sigma_min';
  /** Timesteps with a smaller λ are left out; −∞ keeps all. */
  readonly lambdaMinClipped: number;
}

/** The options of diffusers' class that change the path and are not here. */
const OFF_ONLY = [
  'use_karras_sigmas',
  'use_exponential_sigmas',
  'use_beta_sigmas',
  'use_lu_lambdas',
  'use_flow_sigmas',
  'use_dynamic_shifting',
];
const FEW_STEPS = 15;
const { fround } = Math;

/**
 * DPM-Solver++ (2M) (arXiv 2211.01095): an exponential integrator of the diffusion ODE in λ = log(α/σ) that predicts
 * x_0; from the second step on it uses the x_0 of the step before for a second-order correction.
 *
 * Notation: α, σ with α² + σ² = 1; sigmas[i] = σ/α at step i; λ_s0 at this step, λ_t at the next, λ_s1 at the one
 * before; h = λ_t − λ_s0, r = (λ_s0 − λ_s1) / h.
 *
 * Source: diffusers, schedulers/scheduling_dpmsolver_multistep.py.
 */
export class DPMSolverMultistepScheduler implements Scheduler {
  readonly initNoiseSigma = 1;
  readonly #config: DPMSolverMultistepSchedulerConfig;
  readonly #alphasCumprod: Float32Array;
  #timesteps: readonly number[] = [];
  /** σ/α at each step, and where the last one leads. */
  #sigmas: readonly number[] = [];

  constructor(config: DPMSolverMultistepSchedulerConfig) {
    this.#config = config;
    this.#alphasCumprod = alphasCumprod(config.noise);
    // Not quite zero, so that the first sigma is finite.
    if (config.noise.rescaleBetasZeroSnr) this.#alphasCumprod[this.#alphasCumprod.length - 1] = 2 ** -24;
  }

  /** @throws InvalidConfigError naming the field that is not supported. */
  static fromConfig(json: unknown): DPMSolverMultistepScheduler {
    const reader = schedulerReader(json, 'DPMSolverMultistepScheduler');
    for (const field of OFF_ONLY) reader.only(field, false);
    reader.only('algorithm_type', 'dpmsolver++');
    reader.only('variance_type', 'fixed_small', 'fixed_small_log', 'fixed_large');
    const order = reader.integer('solver_order', 2);
    return new DPMSolverMultistepScheduler({
      ...parseCommonConfig(reader, 'linspace'),
      solverOrder: order === 1 || order === 2 ? order : reader.refuse('solver_order', '1 or 2'),
      // The names of other solvers' types stand for midpoint, as in diffusers.
      solverType: reader.raw('solver_type') === 'heun' ? 'heun' : 'midpoint',
      lowerOrderFinal: reader.boolean('lower_order_final', true),
      eulerAtFinal: reader.boolean('euler_at_final', false),
      finalSigmasType: reader.oneOf('final_sigmas_type', ['zero', 'sigma_min'], 'zero'),
      lambdaMinClipped: parseLambdaMin(reader.raw('lambda_min_clipped')),
    });
  }

  get timesteps(): readonly number[] {
    return this.#timesteps;
  }

  setTimesteps(steps: number): void {
    const timesteps = this.#spacedTimesteps(steps);
    checkTrained(timesteps, this.#config.noise.numTrainTimesteps);
    if (timesteps.some((t, i) => i > 0 && t >= timesteps[i - 1]!)) {
      throw new InvalidInputError(
        `DPM-Solver++ divides by the distance between timesteps, but ${steps} steps would visit one twice. Choose fewer steps (this solver needs 10 to 30).`,
      );
    }
    const last = this.#config.finalSigmasType === 'zero' ? 0 : this.#sigmaAt(0);
    this.#timesteps = timesteps;
    this.#sigmas = [...timesteps.map((t) => this.#sigmaAt(t)), last];
  }

  coefficients(stepIndex: number): StepCoefficients {
    const from = this.#point(stepIndex);
    const to = this.#point(stepIndex + 1);
    const x0 = predictedX0(this.#config.predictionType, from.alpha, from.sigma);
    const h = to.lambda - from.lambda;
    const towardsX0 = -to.alpha * Math.expm1(-h);
    // How much of D1 = (x0 − previous x0) / r is added.
    let correction = 0;
    if (this.#isSecondOrder(stepIndex)) {
      const r = (from.lambda - this.#point(stepIndex - 1).lambda) / h;
      const weight =
        this.#config.solverType === 'midpoint' ? 0.5 * towardsX0 : to.alpha * (Math.expm1(-h) / h + 1);
      correction = weight / r;
    }
    return {
      x0FromSample: x0.sample,
      x0FromOutput: x0.output,
      clipRange: null,
      fromX0: towardsX0 + correction,
      fromSample: to.sigma / from.sigma,
      fromOutput: 0,
      fromPreviousX0: -correction,
      fromNoise: 0,
    };
  }

  #isSecondOrder(stepIndex: number): boolean {
    const { solverOrder, eulerAtFinal, lowerOrderFinal, finalSigmasType } = this.#config;
    const count = this.#timesteps.length;
    const firstOrderAtTheEnd =
      eulerAtFinal || (lowerOrderFinal && count < FEW_STEPS) || finalSigmasType === 'zero';
    return solverOrder === 2 && stepIndex > 0 && !(stepIndex === count - 1 && firstOrderAtTheEnd);
  }

  #point(index: number): { alpha: number; sigma: number; lambda: number } {
    const ratio = this.#sigmas[index]!;
    const alpha = 1 / Math.sqrt(ratio * ratio + 1);
    return { alpha, sigma: ratio * alpha, lambda: -Math.log(ratio) };
  }

  #sigmaAt(timestep: number): number {
    const alphaProd = this.#alphasCumprod[timestep]!;
    return fround(Math.sqrt(fround(fround(1 - alphaProd) / alphaProd)));
  }

  #spacedTimesteps(steps: number): number[] {
    const { timestepSpacing, stepsOffset, noise } = this.#config;
    checkSteps(steps, noise.numTrainTimesteps);
    const end = this.#usableTimesteps();
    switch (timestepSpacing) {
      // One more point than steps: the last, the clean end, is the final sigma.
      case 'linspace':
        return linspaceTimesteps(end - 1, steps + 1).slice(0, -1);
      case 'leading':
        return leadingTimesteps(Math.floor(end / (steps + 1)), steps + 1, stepsOffset).slice(0, -1);
      case 'trailing':
        return trailingTimesteps(end, noise.numTrainTimesteps / steps);
    }
  }

  /** How many timesteps, from 0, have λ ≥ lambdaMinClipped. */
  #usableTimesteps(): number {
    const { length } = this.#alphasCumprod;
    const clipped = this.#alphasCumprod.findIndex((alphaProd) => {
      const lambda =
        fround(Math.log(fround(Math.sqrt(alphaProd)))) - fround(Math.log(fround(Math.sqrt(1 - alphaProd))));
      return lambda < this.#config.lambdaMinClipped;
    });
    return clipped === -1 ? length : clipped;
  }
}

/** JSON has no −Infinity: diffusers writes it as a bare word or leaves it out. */
function parseLambdaMin(value: unknown): number {
  return typeof value === 'number' ? value : Number.NEGATIVE_INFINITY;
}
