import './activations.test';
