import './preference-trainer.test';
