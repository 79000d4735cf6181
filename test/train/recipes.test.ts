/** The recipes of the published models, and their schedules for another number of steps. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { BlankInfilling } from '../../ts/data/blank-infilling.js';
import { resolveConfig } from '../../ts/model/config.js';
import { resolveOptimizer } from '../../ts/train/optimizer.js';
import { findRecipe, recipes, scheduleFor } from '../../ts/train/recipes.js';
import { learningRate, resolveSchedule } from '../../ts/train/schedule.js';
import { special } from '../support/span-example.js';

const training = suite('training: recipes');

training('each can be used: model, objective, optimizer, schedule', () => {
  for (const [name, recipe] of Object.entries(recipes)) {
    const { max_sequence_length: maxLength } = resolveConfig(recipe.model);
    const sentenceEnds = new Uint8Array(1000);
    assert.is(
      new BlankInfilling({ special, sentenceEnds, maxLength, ...recipe.objective }).maxLength,
      maxLength,
    );
    assert.equal(resolveOptimizer(recipe.optimizer), recipe.optimizer, name);
    assert.equal(resolveSchedule(recipe.schedule, recipe.steps), recipe.schedule, name);
    assert.ok(
      recipe.schedule.warmup + recipe.schedule.decay <= recipe.steps || recipe.model === 'glm-roberta-large',
    );
  }
});

training('the schedule shrinks with the steps; a warm-up that is given stays', () => {
  const recipe = findRecipe('glm-large');
  assert.equal(scheduleFor(recipe, {}), recipe.schedule);
  const short = scheduleFor(recipe, { steps: 2000 });
  assert.equal([short.warmup, short.decay], [80, 1520]);
  for (const share of [0.01, 0.04, 0.3, 0.79, 0.9]) {
    const expected = learningRate(1, recipe.schedule, share * recipe.steps);
    assert.ok(Math.abs(learningRate(1, short, share * 2000) - expected) < 1e-9);
  }
  const given = scheduleFor(recipe, { steps: 2000, warmup: 10 });
  assert.equal([given.warmup, given.decay], [10, 1590]);
  assert.equal(scheduleFor(recipe, { steps: 1 }), { ...recipe.schedule, warmup: 0, decay: 1 });
});

training('an unknown name: the names there are', () => {
  assert.throws(() => findRecipe('glm-huge'), /glm-doc-large.*found "glm-huge"/);
});

training.run();
