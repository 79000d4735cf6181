import { GlmError } from '../errors.js';
import type { ModelParameters, ParameterSpec } from '../model/parameters.js';
import type { NativeAdamWParameter, NativeDevice, NativeTensor } from '../native.js';

export interface OptimizerOptions {
  /** The peak of the schedule. Default 1e-4. */
  learningRate?: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.98 (paper, appendix A). */
  beta2?: number;
  /** Default 1e-6. */
  epsilon?: number;
  /** Decoupled; not on biases and layer norms. Default 0.1. */
  weightDecay?: number;
}

export type OptimizerSettings = Required<OptimizerOptions>;

/** Fills in what is left out, and checks. */
export function resolveOptimizer(options: OptimizerOptions): OptimizerSettings {
  const { learningRate = 1e-4, beta1 = 0.9, beta2 = 0.98, epsilon = 1e-6, weightDecay = 0.1 } = options;
  const check = (name: string, value: number, least: number, below: number) => {
    if (!(typeof value === 'number' && value >= least && value < below)) {
      throw new GlmError(
        'GLM_INVALID_ARGUMENT',
        `expected optimizer.${name} in [${least}, ${below}), found ${String(value)}`,
      );
    }
  };
  check('learningRate', learningRate, 0, Infinity);
  check('beta1', beta1, 0, 1);
  check('beta2', beta2, 0, 1);
  check('epsilon', epsilon, Number.MIN_VALUE, 1);
  check('weightDecay', weightDecay, 0, Infinity);
  return { learningRate, beta1, beta2, epsilon, weightDecay };
}

/** Added to the norm when clipping, as the original and PyTorch do (`clip_grad_norm_`). */
const clipEpsilon = 1e-6;

/** AdamW on the parameters of a model: two moments each, on the device. */
export class Optimizer {
  readonly settings: OptimizerSettings;
  /** Updates so far, for the bias corrections. */
  updates = 0;
  private readonly device: NativeDevice;
  private readonly parameters: ModelParameters;
  private readonly specs: readonly ParameterSpec[];
  private readonly moments = new Map<string, { firstMoment: NativeTensor; secondMoment: NativeTensor }>();

  /** @param learns which parameters it updates */
  constructor(
    device: NativeDevice,
    parameters: ModelParameters,
    settings: OptimizerSettings,
    learns: (spec: ParameterSpec) => boolean = () => true,
  ) {
    this.device = device;
    this.parameters = parameters;
    this.settings = settings;
    this.specs = parameters.specs.filter(learns);
    const tensors: NativeTensor[] = [];
    const make = (shape: number[]) => {
      const tensor = device.tensor(shape, 'float32', null, false);
      tensors.push(tensor);
      return tensor;
    };
    try {
      for (const { name, shape } of this.specs)
        this.moments.set(name, { firstMoment: make(shape), secondMoment: make(shape) });
    } catch (error) {
      for (const tensor of tensors) tensor.dispose();
      throw error;
    }
  }

  /** The norm of all gradients together. Not finite when one of them is not. */
  async gradientNorm(): Promise<number> {
    return Math.sqrt(
      await this.device.squaredGradientNorm(this.specs.map(({ name }) => this.parameters.get(name))),
    );
  }

  /** One step with gradients of the given norm, clipped to `clip` (0: not at all). Without gradients it only counts. */
  update(learningRate: number, gradientNorm: number, clip: number, hasGradients: boolean): void {
    this.updates += 1;
    if (!hasGradients) return;
    const { beta1, beta2, epsilon, weightDecay } = this.settings;
    const gradientScale = clip > 0 ? Math.min(1, clip / (gradientNorm + clipEpsilon)) : 1;
    this.device.adamw(
      this.specs.map(({ name, decay }) => ({
        ...this.valuesOf(name),
        ...this.moment(name),
        decay,
      })),
      { learningRate, beta1, beta2, epsilon, weightDecay, gradientScale, step: this.updates },
    );
  }

  private valuesOf(name: string): Pick<NativeAdamWParameter, 'parameter' | 'copy'> {
    const [parameter, computed] = [this.parameters.exact(name), this.parameters.get(name)];
    return computed === parameter ? { parameter } : { parameter, copy: computed };
  }

  /** The parameters that it updates. */
  names(): string[] {
    return [...this.moments.keys()];
  }

  /** The moments of a parameter. */
  moment(name: string): { firstMoment: NativeTensor; secondMoment: NativeTensor } {
    const moment = this.moments.get(name);
    if (moment === undefined) throw new RangeError(`no parameter is named ${name}`);
    return moment;
  }

  dispose(): void {
    for (const { firstMoment, secondMoment } of this.moments.values()) {
      firstMoment.dispose();
      secondMoment.dispose();
    }
  }
}
