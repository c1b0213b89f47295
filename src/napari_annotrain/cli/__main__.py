from napari_annotrain.cli import main

if __name__ == "__main__":
    main()
