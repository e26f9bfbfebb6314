import './conv1d.test';
