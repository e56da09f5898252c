//! TIFF files as datasets, against what GDAL reads in them.

mod corpus;
mod decoded;
mod georeference;
mod mutants;
mod reading;
mod written;
