import './clap-model.test';
