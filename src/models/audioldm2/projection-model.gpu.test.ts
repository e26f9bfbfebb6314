import './projection-model.test';
